module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4x8xf32>) -> (tensor<4x8xf32> {jax.result_info = "result[0]"}, tensor<4x8xf32> {jax.result_info = "result[1]"}, tensor<4x8xf32> {jax.result_info = "result[2]"}, tensor<4x8xf32> {jax.result_info = "result[3]"}, tensor<4x8xf32> {jax.result_info = "result[4]"}, tensor<4x8xf32> {jax.result_info = "result[5]"}, tensor<4x8xf32> {jax.result_info = "result[6]"}, tensor<4x8xf32> {jax.result_info = "result[7]"}, tensor<4x8xf32> {jax.result_info = "result[8]"}, tensor<4x8xf32> {jax.result_info = "result[9]"}, tensor<4x3xf32> {jax.result_info = "result[10][0]"}, tensor<4x3xi32> {jax.result_info = "result[10][1]"}) {
    %0 = chlo.sinh %arg0 : tensor<4x8xf32> -> tensor<4x8xf32>
    %1 = chlo.cosh %arg0 : tensor<4x8xf32> -> tensor<4x8xf32>
    %2 = chlo.atan %arg0 : tensor<4x8xf32> -> tensor<4x8xf32>
    %3 = chlo.asinh %arg0 : tensor<4x8xf32> -> tensor<4x8xf32>
    %4 = stablehlo.tanh %arg0 : tensor<4x8xf32>
    %5 = chlo.asin %4 : tensor<4x8xf32> -> tensor<4x8xf32>
    %6 = stablehlo.tanh %arg0 : tensor<4x8xf32>
    %7 = chlo.acos %6 : tensor<4x8xf32> -> tensor<4x8xf32>
    %8 = stablehlo.tanh %arg0 : tensor<4x8xf32>
    %cst = stablehlo.constant dense<0.899999976> : tensor<f32>
    %9 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %10 = stablehlo.multiply %8, %9 : tensor<4x8xf32>
    %11 = chlo.atanh %10 : tensor<4x8xf32> -> tensor<4x8xf32>
    %12 = stablehlo.abs %arg0 : tensor<4x8xf32>
    %cst_0 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %13 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %14 = stablehlo.add %12, %13 : tensor<4x8xf32>
    %15 = call @arccosh(%14) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %16 = chlo.erfc %arg0 : tensor<4x8xf32> -> tensor<4x8xf32>
    %17 = chlo.square %arg0 : tensor<4x8xf32> -> tensor<4x8xf32>
    %values, %indices = chlo.top_k(%arg0, k = 3) : tensor<4x8xf32> -> (tensor<4x3xf32>, tensor<4x3xi32>)
    return %0, %1, %2, %3, %5, %7, %11, %15, %16, %17, %values, %indices : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x3xf32>, tensor<4x3xi32>
  }
  func.func private @arccosh(%arg0: tensor<4x8xf32>) -> tensor<4x8xf32> {
    %0 = chlo.acosh %arg0 : tensor<4x8xf32> -> tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
}
